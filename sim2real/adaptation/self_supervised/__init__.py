"""Self-supervised methods: losses whose answers the pictures themselves hold."""
