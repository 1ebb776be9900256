// Package check judges histories: given what clients asked of a cluster and what they were
// told (package history), it says what cannot have been, had the cluster kept its word. It
// knows nothing of the inside of a broker, but for C15, which reads the folders that
// brokers left. Each check is a file with its rule at the top, linear in the history or
// nearly so; only small registers (C12, C14) are searched. A check has no opinion where the
// history leaves a doubt: what may or may not have happened is no violation.
package check
