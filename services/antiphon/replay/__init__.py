"""What composes the harness with the services: the providers' own endpoints beside the suite's."""
