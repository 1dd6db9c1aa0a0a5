"""How a server shows who it is, and asks its callers for the same."""

import grpc

from exchange.rpc.directory import Directory


def credentials(directory: Directory) -> grpc.ServerCredentials:
    """Mutual TLS that asks the directory at every handshake, so that renewal needs no restart."""
    current = directory.tls()

    def configuration() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(current.key, current.chain)], current.root)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal current
        latest = directory.tls()
        if latest == current:
            return None
        current = latest
        return configuration()

    return grpc.dynamic_ssl_server_credentials(
        configuration(),
        renewed,  # type: ignore[arg-type]  # the stub does not know that None means "as before"
        require_client_authentication=True,
    )
