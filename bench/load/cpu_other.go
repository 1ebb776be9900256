//go:build !unix

package load

func cpu() float64 { return 0 }
