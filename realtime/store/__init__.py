"""The model store: published weights, fetched once, checked against a pinned checksum, used offline."""
