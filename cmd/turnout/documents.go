package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/bolt"
	"github.com/turnout-rtc/turnout/datachannel/store/memory"
)

// documentsFile is in the data directory.
const documentsFile = "documents.db"

// documents is where documents are kept, and who writes them.
type documents struct {
	store  store.Store
	writer *store.Writer
}

// openDocuments opens the store that the Config names; nil when there is to be none.
func openDocuments(cfg Config) (*documents, error) {
	var kept store.Store
	switch cfg.Datachannel.Store {
	case datachannel.StoreNone:
		return nil, nil //nolint:nilnil // no store is no error
	case datachannel.StoreMemory:
		kept = memory.New()
	default:
		if cfg.Data == "" {
			return nil, errors.New("datachannel.store is bolt and there is no data directory: name one with --data, or set datachannel.store to none")
		}
		file, err := bolt.Open(filepath.Join(cfg.Data, documentsFile))
		if err != nil {
			return nil, fmt.Errorf("documents cannot be kept: %w; the directory is named by --data", err)
		}
		kept = file
	}
	return &documents{store: kept, writer: store.NewWriter(kept)}, nil
}

// close stores what is queued. Nobody may write any more.
func (d *documents) close() error {
	d.writer.Close()
	return d.store.Close()
}
