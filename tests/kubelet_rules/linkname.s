// Empty: a Go package with a function whose body is elsewhere (go:linkname) needs an assembly file.
