"""``make app``: notebook 11 as a page for those who do not program, served by Voila to this machine alone.

Voila executes the notebook's cells but those of the article, once for each visitor, and shows what they give. Options
are Voila's: ``make app APP="--port 9000 --no-browser"``.
"""

import sys

from traitlets.config import Config
from voila.app import Voila

from sadanet_lab.paths import NOTEBOOKS
from sadanet_lab.reporting.own_image import LARGEST_FILE

ARTICLE = "article"
"""Tag of the cells that only readers of the notebook want; they are neither executed nor shown."""
SOURCES = {
    "default-src": "'self'",
    "connect-src": "'self'",
    "font-src": "'self' data:",
    "frame-ancestors": "'none'",
    "img-src": "'self' data: blob:",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",  # the widget's code comes as a blob
    "style-src": "'self' 'unsafe-inline'",
}
"""What the browser may load and where it may send: only here. Voila's own page asks for fonts from elsewhere."""


def settings() -> Config:
    """Of Voila: for this machine, one notebook, no file, no code, no trace of a fault."""
    told = Config()
    told.Voila.ip = "127.0.0.1"
    told.Voila.config_file_paths = []
    told.Voila.tornado_settings = {
        "allow_remote_access": False,  # nor under another name, by which a foreign page could reach this one
        # Voila's page has no such cookie, and could not end its kernel when it is closed; kernels' names are secret.
        "disable_check_xsrf": True,
        "headers": {"Content-Security-Policy": "; ".join(f"{kind} {where}" for kind, where in SOURCES.items())},
        "websocket_max_message_size": LARGEST_FILE + (1 << 20),
    }
    told.VoilaConfiguration.file_allowlist = []
    told.VoilaConfiguration.allow_template_override = told.VoilaConfiguration.allow_theme_override = "NO"
    told.TagRemovePreprocessor.enabled = True
    told.TagRemovePreprocessor.remove_cell_tags = {ARTICLE}
    told.ZMQChannelsWebsocketConnection.limit_rate = False  # it would drop the files of a large picture
    return told


if __name__ == "__main__":
    Voila.launch_instance([str(NOTEBOOKS / "11_your_image.ipynb"), *sys.argv[1:]], config=settings())
