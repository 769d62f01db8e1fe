"""The demo: the main job on real input, with every claim checked.

`steps` tells the story, `checks` says what must hold, `screen` is what people see, `stage` brings cluster and operator.
"""
