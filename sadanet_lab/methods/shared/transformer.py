"""A small Transformer decoder: queries that look at each other, then at a picture's features."""

from timm.layers.drop import DropPath
from timm.layers.mlp import Mlp
from torch import Tensor, nn

from sadanet_core.attention import Softmax


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in ``heads`` heads (Vaswani et al., 2017), without biases in q, k and v.

    queries (B, Q, C), memory (B, M, C) -> (B, Q, C); its map is (B, heads, Q, M).
    """

    def __init__(self, channels: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels, bias=False)
        self.attend = Softmax(dim=-1)
        self.drop_map = nn.Dropout(dropout)
        self.project = nn.Sequential(nn.Linear(channels, channels), nn.Dropout(dropout))

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        q, k, v = (
            layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, queries), (self.key, memory), (self.value, memory))
        )
        s = self.attend(q @ k.mT / q.shape[-1] ** 0.5).to(v.dtype)
        return self.project((self.drop_map(s) @ v).transpose(1, 2).flatten(2))


class DecoderBlock(nn.Module):
    """Pre-norm: self-attention of the queries, cross-attention to the memory, MLP of 4 x width; each added.

    queries (B, Q, C), memory (B, M, C) -> queries (B, Q, C).
    """

    def __init__(self, channels: int, heads: int, dropout: float = 0.1):
        super().__init__()
        self.norm_self, self.norm_query, self.norm_memory, self.norm_mlp = (nn.LayerNorm(channels) for _ in range(4))
        self.among_queries = MultiHeadAttention(channels, heads, dropout)
        self.to_memory = MultiHeadAttention(channels, heads, dropout)
        self.mlp = Mlp(channels, 4 * channels, drop=dropout)
        self.drop_path = DropPath(dropout)

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        normed = self.norm_self(queries)
        queries = queries + self.drop_path(self.among_queries(normed, normed))
        queries = queries + self.drop_path(self.to_memory(self.norm_query(queries), self.norm_memory(memory)))
        return queries + self.drop_path(self.mlp(self.norm_mlp(queries)))
