"""Rules: musical triggers beyond plain routes. When something happens, only if it may, send, then follow up."""
