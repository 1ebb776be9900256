package load

// stampLen is how many bytes at the front of a value its time and number take.
const stampLen = 16
