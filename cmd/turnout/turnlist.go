package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/turnout-rtc/turnout/cmd/turnout/turnapi"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

type allocationsCommand struct {
	URL      string `default:"http://127.0.0.1:7880" help:"Where the server can be reached."`
	Data     string `placeholder:"DIR" help:"The server's data directory, for the operator's key in it."`
	Operator string `name:"operator-key" placeholder:"KEY" help:"The operator's key. Better in TURNOUT_OPERATOR_KEY: others can see the flags of a program."`
	JSON     bool   `name:"json" help:"Print the server's answer as it is."`
}

// listTimeout is how long the server may take.
const listTimeout = 10 * time.Second

// Run prints who is allocated what.
func (c *allocationsCommand) Run(p *process) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/v1/turn/allocations", nil)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	client := http.Client{Timeout: listTimeout}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w; say where it is with --url", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refusedBy(res)
	}
	if c.JSON {
		_, err := io.Copy(p.stdout, res.Body)
		return err
	}
	var list turnapi.Allocations
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		return fmt.Errorf("%s does not answer like a turnout server: %w", c.URL, err)
	}
	return printAllocations(p.stdout, list.Allocations, time.Now())
}

// key is that of the flag, the environment, or the data directory, whichever is first to have one.
func (c *allocationsCommand) key() (string, error) {
	if c.Operator != "" {
		return c.Operator, nil
	}
	if key, given, err := lookupEnv("TURNOUT_OPERATOR_KEY", true); err != nil || given {
		return key, err
	}
	dir := c.Data
	if dir == "" {
		dir = os.Getenv("TURNOUT_DATA")
	}
	if dir == "" {
		var err error
		if dir, err = defaultData(); err != nil {
			return "", err
		}
	}
	key, err := readSecret(filepath.Join(dir, operatorFile))
	if err != nil {
		return "", fmt.Errorf("no operator key: %w; name the server's directory with --data, or set TURNOUT_OPERATOR_KEY", err)
	}
	return key, nil
}

// maxRefusal bounds what is read of an answer that is not what was asked for.
const maxRefusal = 64 << 10

func refusedBy(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxRefusal)) // whatever there is
	var fault protocol.Error
	if json.Unmarshal(body, &fault) == nil && fault.Code != "" {
		return &fault
	}
	if res.StatusCode == http.StatusNotFound {
		return errors.New("the server has no TURN allocations to list: turn.enabled is false, or it is not a turnout server")
	}
	return fmt.Errorf("the server answered %s", res.Status)
}

func printAllocations(out io.Writer, list []turnapi.Allocation, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "USER\tCLIENT\tTRANSPORT\tRELAYED\tAGE\tUP\tDOWN")
	for _, a := range list {
		age := now.Sub(a.Created).Truncate(time.Second)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", printable(a.User), a.Client, a.Transport, a.Relayed, age, a.Up.Bytes, a.Down.Bytes)
	}
	return w.Flush()
}

// printable is a name as it is, unless it would move the cursor: whoever has the shared secret chooses it.
func printable(name string) string {
	if quoted := fmt.Sprintf("%+q", name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}
