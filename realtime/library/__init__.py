"""A person's own library of sound: what its pieces sound like, kept in one index file."""
