"""The tree against its oracle and the published roots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.ledger import tree
from tests.reference import merkle

# The eight leaves and roots that the reference implementations of RFC 6962 test with.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def grow(leaves: list[bytes]) -> tuple[tree.Frontier, list[tree.Node], dict[tuple[int, int], bytes]]:
    frontier, nodes = tree.Frontier(), []
    for leaf in leaves:
        nodes += frontier.append(tree.leaf_hash(leaf))
    return frontier, nodes, {(n.level, n.idx): n.hash for n in nodes}


class TestTree:
    def test_roots_of_the_reference_implementations(self) -> None:
        for size, expected in enumerate(CT_ROOTS, start=1):
            assert grow(CT_LEAVES[:size])[0].root().hex() == expected

    @given(st.lists(st.binary(max_size=8), max_size=70))
    def test_roots_and_proofs_equal_the_oracle(self, leaves: list[bytes]) -> None:
        frontier, nodes, stored = grow(leaves)
        assert len(stored) == len(nodes) == sum(len(leaves) >> level for level in range(8))
        lookup = lambda level, idx: stored[level, idx]  # noqa: E731
        assert frontier.root() == merkle.root(leaves)
        for size in range(len(leaves) + 1):
            assert tree.root(size, lookup) == merkle.root(leaves[:size])
            assert tree.consistency_proof(size, len(leaves), lookup) == merkle.consistency_proof(size, leaves)
        for index in range(len(leaves)):
            assert tree.inclusion_proof(index, len(leaves), lookup) == merkle.inclusion_proof(index, leaves)

    @pytest.mark.parametrize("size", range(1, 34))
    def test_proofs_hold_and_only_where_they_belong(self, size: int) -> None:
        leaves = [bytes([i]) for i in range(size)]
        root = merkle.root(leaves)
        for index in range(size):
            proof = merkle.inclusion_proof(index, leaves)
            leaf = tree.leaf_hash(leaves[index])
            assert tree.verify_inclusion(index, size, leaf, proof, root)
            assert not tree.verify_inclusion(index, size, tree.leaf_hash(b"other"), proof, root)
            assert not tree.verify_inclusion(index, size, leaf, [*proof, root], root)
            assert not tree.verify_inclusion(size, size, leaf, proof, root)
            for place in range(len(proof)):
                assert not tree.verify_inclusion(index, size, leaf, proof[:place], root)
                bad = [*proof[:place], bytes(32), *proof[place + 1 :]]
                assert not tree.verify_inclusion(index, size, leaf, bad, root)
        for old in range(size + 1):
            old_root, proof = merkle.root(leaves[:old]), merkle.consistency_proof(old, leaves)
            assert tree.verify_consistency(old, size, old_root, root, proof)
            assert not tree.verify_consistency(old, size, bytes(32), root, proof)
            assert not tree.verify_consistency(old, size, old_root, root, [*proof, root])
            for place in range(len(proof)):
                assert not tree.verify_consistency(old, size, old_root, root, proof[:place])
                bad = [*proof[:place], bytes(32), *proof[place + 1 :]]
                assert not tree.verify_consistency(old, size, old_root, root, bad)

    def test_what_does_not_exist_has_no_proof(self) -> None:
        stored = grow(CT_LEAVES)[2]
        lookup = lambda level, idx: stored[level, idx]  # noqa: E731
        with pytest.raises(IndexError):
            tree.inclusion_proof(8, 8, lookup)
        with pytest.raises(IndexError):
            tree.consistency_proof(9, 8, lookup)
        assert not tree.verify_consistency(9, 8, bytes(32), bytes(32), [])
        assert not tree.verify_consistency(-1, -1, bytes(32), bytes(32), [])
