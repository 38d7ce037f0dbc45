"""Parts of a bundle: manifest, files, front end, model, outputs; ``hosting/bundle.py`` puts it together."""
