"""The words: the resource as data, its names, and the CRD made of them. Pure."""
