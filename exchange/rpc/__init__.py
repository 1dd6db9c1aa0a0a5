"""The three calls between two nodes over gRPC with mutual TLS. Nothing above this package knows gRPC."""
