"""Who is in the alliance, how that is proven, and how it changes. Bytes and a time in, bytes out."""
