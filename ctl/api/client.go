package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"nave/ctl/show"
)

// Client asks a daemon.
type Client struct {
	socket string
	http   *http.Client
	// streams are answers that take as long as their context lets them.
	streams *http.Client
}

// NewClient makes a client of the daemon that answers on a socket. It connects with the first request.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	return &Client{socket: socket, http: &http.Client{Timeout: 30 * time.Second, Transport: transport}, streams: &http.Client{Transport: transport}}
}

// Status asks for all that can be shown.
func (c *Client) Status() (*show.Status, error) {
	var s show.Status
	if err := c.do(http.MethodGet, "/v1/status", nil, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Flows asks for the flows with the most packets.
func (c *Client) Flows(most int) (*show.FlowCache, error) {
	var f show.FlowCache
	if err := c.do(http.MethodGet, fmt.Sprintf("/v1/flows?most=%d", most), nil, &f); err != nil {
		return nil, err
	}
	return &f, nil
}

// Query asks for a table.
func (c *Client) Query(q show.Query) (*show.Answer, error) {
	var a show.Answer
	if err := c.do(http.MethodPost, "/v1/query", q, &a); err != nil {
		return nil, err
	}
	return &a, nil
}

// Clear takes down sessions or zeroes counters.
func (c *Client) Clear(what Clear) error {
	return c.do(http.MethodPost, "/v1/clear", what, &struct{}{})
}

// Reload has the configuration file read again.
func (c *Client) Reload() error { return c.do(http.MethodPost, "/v1/reload", struct{}{}, &struct{}{}) }

func (c *Client) do(method, path string, in, out any) error {
	res, err := c.ask(context.Background(), c.http, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("api: read the answer: %w", err)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("api: the answer is not understood (is the daemon of another version?): %w", err)
	}
	return nil
}

// stream asks for an answer that comes bit by bit, until ctx ends. The caller closes it.
func (c *Client) stream(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	res, err := c.ask(ctx, c.streams, method, path, in)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// ask sends a request, and returns the answer if it is no error.
func (c *Client) ask(ctx context.Context, by *http.Client, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("api: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://nave"+path, body)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	res, err := by.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if res.StatusCode < http.StatusBadRequest {
		return res, nil
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("api: read the answer: %w", err)
	}
	var p problem
	if json.Unmarshal(b, &p) == nil && p.Error != "" {
		return nil, errors.New(p.Error)
	}
	return nil, fmt.Errorf("api: the daemon answered %s", res.Status)
}

// ErrNoDaemon is wrapped by the error of a request that no daemon was there for.
var ErrNoDaemon = errors.New("no naved answers")

// explain says what to do where no daemon answers.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w on %s; is it running? --socket names another", ErrNoDaemon, c.socket)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s may only be opened by root and the members of group %s", c.socket, DefaultAccess.Look)
	}
	return fmt.Errorf("ask the daemon: %w", err)
}
