"""The doors to other libraries, each imported by itself: `trainstation.interop.torch`."""

__all__: list[str] = []
