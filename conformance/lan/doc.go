// Package lan is a network of machines that are namespaces, joined by a switch that is a
// program: each packet between two of them goes through a function, which may drop it,
// hold it up or let another overtake it, in one direction and not in the other. Nothing is
// asked of the system but TUN devices and network namespaces, which root has; the switch
// itself, in switch.go, knows only ports that packets come from and go to. A Switch owns
// two goroutines for each port, one that reads it and one that delivers what was held up;
// Close ends them.
package lan
