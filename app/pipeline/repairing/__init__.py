"""What a person sets off after something went wrong: again, anew, or from a moment on."""
