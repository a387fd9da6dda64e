// Package clienttest runs clients that nobody here wrote, and ours in other
// languages, against the whole server: a browser, Node, Python.
//
// What they need is looked for where .ci/run puts it. A test whose program is
// missing is skipped on a developer's machine and fails where CI is true.
package clienttest
