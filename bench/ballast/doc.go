// Package ballast keeps little of a machine's memory free, as on a server that has run for weeks.
//
// A virtual machine gets its memory from its host page by page, when a page is touched for the first
// time, and may give back what is free. The first touch costs whoever makes it several times what a
// copy into the page costs, so a broker that fills a fresh machine's page cache is charged for that,
// and the one that is measured after it is not. With a ballast, pages come from what was in use a
// moment ago, for everybody.
//
// The ballast is page cache, of a file that is one hole: it takes no room on the disk, is as much of
// what may be dirty as any page cache, and the kernel may take it when memory is short. A Ballast
// owns one goroutine, which adds to it when memory becomes free and takes from it when little is.
package ballast
