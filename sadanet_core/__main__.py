from sadanet_core.cli import main

main()
