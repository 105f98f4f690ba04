"""The starter policies and the sample catalogue that `merx demo` runs on."""
