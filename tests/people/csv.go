package people

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
)

func header() []string { return []string{"id", "name", "email", "group"} }

// WriteCSV writes rows below a header, quoted as RFC 4180 has it, lines ending
// in a line feed.
func WriteCSV(w io.Writer, rows iter.Seq[Person]) error {
	out := csv.NewWriter(w)
	if err := out.Write(header()); err != nil {
		return fmt.Errorf("write the header: %w", err)
	}
	for p := range rows {
		if err := out.Write([]string{p.ID, p.Name, p.Email, strconv.Itoa(p.Group)}); err != nil {
			return fmt.Errorf("write the row of %s: %w", p.ID, err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write the rows: %w", err)
	}
	return nil
}

// ReadCSV yields the rows of what WriteCSV wrote. It checks the form only, not
// whether a row is a valid user. After an error, which names the line, it stops.
func ReadCSV(r io.Reader) iter.Seq2[Person, error] {
	return func(yield func(Person, error) bool) {
		in := csv.NewReader(r)
		in.ReuseRecord = true
		in.FieldsPerRecord = len(header())
		first, err := in.Read()
		if err == nil && !slices.Equal(first, header()) {
			err = fmt.Errorf("line 1 is %q; it must be the header id,name,email,group", first)
		}
		if err != nil {
			yield(Person{}, fmt.Errorf("read the CSV: %w", err))
			return
		}
		for {
			p, err := readRow(in)
			if errors.Is(err, io.EOF) || !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func readRow(in *csv.Reader) (Person, error) {
	row, err := in.Read()
	if errors.Is(err, io.EOF) {
		return Person{}, err
	}
	if err != nil {
		return Person{}, fmt.Errorf("read the CSV: %w", err)
	}
	group, err := strconv.Atoi(row[3])
	if err != nil {
		line, _ := in.FieldPos(3)
		return Person{}, fmt.Errorf("line %d of the CSV: the group must be an integer: %w", line, err)
	}
	return Person{ID: row[0], Name: row[1], Email: row[2], Group: group}, nil
}
