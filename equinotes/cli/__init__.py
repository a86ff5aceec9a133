"""The `equinotes` command."""
