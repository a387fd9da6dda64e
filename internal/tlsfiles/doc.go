// Package tlsfiles serves a certificate from two files and takes up a new one
// when they change.
//
// The files are looked at every few seconds rather than watched: that works for
// plain files, for symbolic links that are swapped, and for mounts that send no
// notices. A pair is taken when both files together load; until then, as while a
// renewal has written one of the two, the old one stays. Connections that stand
// keep the certificate they were made with.
package tlsfiles
