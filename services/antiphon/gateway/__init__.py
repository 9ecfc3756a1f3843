"""The gateway: one door in front of all backends, which decides where a call goes."""
