"""The provider adapter: every provider as a row of data behind one HTTP door and one set of services."""
