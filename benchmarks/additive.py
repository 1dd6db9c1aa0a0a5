"""Additively homomorphic encryption of one library: ``python additive.py phe|pypaillier|sf-heu``.

Runs in an environment of its own, which ``benchmarks.sum`` makes. Rates are calls a second of the processor
time of this process, the best of five; bytes are of one ciphertext as it would travel. Prints one JSON line.
"""

import json
import sys
import time

BITS = (2048, 3072)
ROUNDS = 5
HEU = ("ZPaillier", "OU", "DGK")
"""Schemes of sf-heu that take the bits of a modulus; its ElGamal takes a curve."""


def rate(call, n):  # noqa: ANN001, ANN201
    """Calls a second, where ``call`` does the n."""
    call()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return round(n / min(times))


def phe(bits):  # noqa: ANN001, ANN201
    """Paillier in Python, on gmpy2."""
    from phe import paillier  # noqa: PLC0415

    public, _ = paillier.generate_paillier_keypair(n_length=bits)
    ciphertexts = [public.raw_encrypt(n) for n in range(40)]

    def add():  # noqa: ANN202
        total = 1
        for _ in range(25):
            for ciphertext in ciphertexts:
                total = total * ciphertext % public.nsquare

    return {
        "encrypt": rate(lambda: [public.raw_encrypt(n) for n in range(40)], 40),
        "add": rate(add, 25 * len(ciphertexts)),
        "bytes": 2 * bits // 8,
    }


def pypaillier(bits):  # noqa: ANN001, ANN201
    """Damgård-Jurik with short exponents in Rust, on GMP."""
    import paillier  # noqa: PLC0415

    public, _ = paillier.generate_keypair(bits)
    ciphertexts = [bytes(c) for c in paillier.encrypt_integers(public, list(range(500)))]
    return {
        "encrypt": rate(lambda: paillier.encrypt_integers(public, list(range(500))), 500),
        "add": rate(lambda: paillier.add_many(public, ciphertexts), len(ciphertexts) - 1),
        "bytes": len(ciphertexts[0]),
    }


def heu(scheme, *bits):  # noqa: ANN001, ANN002, ANN201
    """One scheme of sf-heu, in C++."""
    from heu import phe as kits  # noqa: PLC0415

    kit = kits.setup(getattr(kits.SchemaType, scheme), *bits)
    encryptor, evaluator = kit.encryptor(), kit.evaluator()
    ciphertexts = [encryptor.encrypt_raw(n) for n in range(100)]

    def add():  # noqa: ANN202
        total = ciphertexts[0]
        for ciphertext in ciphertexts:
            total = evaluator.add(total, ciphertext)

    return {
        "encrypt": rate(lambda: [encryptor.encrypt_raw(n) for n in range(100)], 100),
        "add": rate(add, len(ciphertexts)),
        "bytes": len(ciphertexts[0].serialize()),
    }


def main() -> None:
    """Measure one library and print."""
    if (library := sys.argv[1]) == "sf-heu":
        found = {f"{scheme} {bits}": heu(scheme, bits) for scheme in HEU for bits in BITS}
        found["ElGamal on a curve"] = heu("ElGamal")
    else:
        measure = {"phe": phe, "pypaillier": pypaillier}[library]
        found = {f"Paillier {bits}": measure(bits) for bits in BITS}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
