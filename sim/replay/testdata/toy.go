// Command toy prints what the Go runtime leaves open: the order of a map, of goroutines, of
// the ready cases of a select, and randomness and the time.
package main

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"time"
)

func main() {
	m := make(map[int]bool)
	for i := range 20 {
		m[i] = true
	}
	for i := range m {
		fmt.Print(i, " ")
	}
	done := make(chan int, 20)
	for i := range 20 {
		go func() {
			time.Sleep(time.Millisecond)
			done <- i
		}()
	}
	for range 20 {
		fmt.Print(<-done, " ")
	}
	a, b := make(chan int, 20), make(chan int, 20)
	for range 20 {
		a <- 0
		b <- 1
	}
	for range 20 {
		select {
		case n := <-a:
			fmt.Print(n)
		case n := <-b:
			fmt.Print(n)
		}
	}
	fmt.Println(crand.Text(), rand.Uint64(), time.Now().UnixNano())
}
