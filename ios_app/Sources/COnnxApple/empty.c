// The headers are all there is: the library is the binary target.
