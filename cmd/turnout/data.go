package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/store/bolt"
	"github.com/turnout-rtc/turnout/datachannel/upkeep"
)

// dataCommand looks after the documents of a server that is stopped.
type dataCommand struct {
	Check   checkCommand   `cmd:"" help:"Read every document and say what is damaged."`
	Compact compactCommand `cmd:"" help:"Drop deleted content and old records, put damaged ones aside, and make the file small."`
	Export  exportCommand  `cmd:"" help:"Write all documents as lines of JSON."`
	Import  importCommand  `cmd:"" help:"Merge documents that export wrote into those that are there."`
}

// dataDir names what the commands work on.
type dataDir struct {
	Dir string `arg:"" help:"Data directory of the server."`
}

func (d dataDir) file() string { return filepath.Join(d.Dir, documentsFile) }

// open opens the documents that are there.
func (d dataDir) open() (*bolt.Store, error) {
	if _, err := os.Stat(d.file()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are no documents in %s: it has no %s; name the directory that the server has as --data", d.Dir, documentsFile)
	}
	return bolt.Open(d.file())
}

type checkCommand struct {
	dataDir
}

// Run prints a line for each document. It fails if something is damaged.
func (c *checkCommand) Run(p *process) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close()
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROOM\tDOCUMENT\tPOSITION\tRECORDS\tBYTES\tSTATE")
	documents, damaged := 0, 0
	err = upkeep.Check(s, func(r upkeep.Report) error {
		documents++
		if len(r.Problems) > 0 {
			damaged++
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\n", printable(r.Doc.Room), printable(r.Doc.Name), r.Position.Seq, r.Records, r.Bytes, stateOf(r.Problems))
		return err
	})
	if err := errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if damaged > 0 {
		return fmt.Errorf("%d of %d documents are damaged: the server opens them without what cannot be read, and turnout data compact puts that aside", damaged, documents)
	}
	return nil
}

// stateOf names the first of what is damaged, in one line.
func stateOf(problems []error) string {
	switch len(problems) {
	case 0:
		return "good"
	case 1:
		return printable(problems[0].Error())
	default:
		return fmt.Sprintf("%s, and %d more", printable(problems[0].Error()), len(problems)-1)
	}
}

type compactCommand struct {
	dataDir
}

// Run compacts every document and then the file.
func (c *compactCommand) Run(p *process) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	before, err := os.Stat(c.file())
	if err != nil {
		return errors.Join(err, s.Close())
	}
	changed, err := upkeep.Compact(s, time.Now())
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if err := bolt.Shrink(c.file()); err != nil {
		return err
	}
	after, err := os.Stat(c.file())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%d documents compacted; the file had %d bytes and has %d\n", changed, before.Size(), after.Size())
	return err
}

type exportCommand struct {
	dataDir
	Output string `short:"o" placeholder:"FILE" help:"Where to write, instead of standard output. A file that is there is not replaced."`
}

// Run writes all documents.
func (c *exportCommand) Run(p *process) (err error) {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close()
	out := p.stdout
	if c.Output != "" {
		f, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("cannot write the export: %w", err)
		}
		out = f
		defer func() { err = errors.Join(err, f.Sync(), f.Close()) }()
	}
	documents, err := upkeep.Export(s, out)
	if err == nil && c.Output != "" {
		_, err = fmt.Fprintf(p.stdout, "%d documents exported\n", documents)
	}
	return err
}

type importCommand struct {
	dataDir
	File string `arg:"" optional:"" help:"What export wrote. Default: standard input."`
}

// Run merges documents into those that are there. It makes the directory if need be.
func (c *importCommand) Run(p *process) error {
	var in io.Reader = os.Stdin
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("cannot read the export: %w", err)
		}
		defer f.Close()
		in = f
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the data directory: %w", err)
	}
	s, err := bolt.Open(c.file())
	if err != nil {
		return err
	}
	documents, err := upkeep.Import(s, in, time.Now())
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("%w; %d documents were imported before", err, documents)
	}
	_, err = fmt.Fprintf(p.stdout, "%d documents imported\n", documents)
	return err
}
