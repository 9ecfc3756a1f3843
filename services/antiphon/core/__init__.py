"""What all services share. It knows no provider and no wire format."""
