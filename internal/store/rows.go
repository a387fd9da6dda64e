package store

import "database/sql"

// Collect reads all rows of a query with scan and closes them. It takes the
// query's error too, so that a call of QueryContext can be passed on whole.
func Collect[T any](rows *sql.Rows, err error, scan func(Row, *T) error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// one reads the single row of a query.
func one[T any](row Row, scan func(Row, *T) error) (T, error) {
	var v T
	err := scan(row, &v)
	return v, err
}
