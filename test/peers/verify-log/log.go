package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight       = 8
	tileWidth        = 1 << tileHeight
	sampledEntries   = 1024
	responseBytesMax = tileWidth * (2 + 1<<16)
	requestLife      = 30 * time.Second
	waitsMax         = 20
	waitSecondsMax   = 60
)

// A publishedLog is a log whose every entry and tile was fetched and found to make its signed root.
type publishedLog struct {
	url     string
	client  http.Client
	fetched map[string][]byte
	tree    tlog.Tree
	entries [][]byte
	// Hashes made from the entries alone, in x/mod's storage order.
	hashes []tlog.Hash
}

func readLog(url string, keys note.Verifiers) *publishedLog {
	log := &publishedLog{url: url, fetched: map[string][]byte{}}
	log.client.Timeout = requestLife
	head, err := log.get("checkpoint")
	require(err == nil, "%v", err)
	log.tree = openCheckpoint(head, keys, "checkpoint")
	log.readEntries()
	require(rootOf(log.tree.N, log.own()) == log.tree.Hash, "the entries do not make the signed root")
	log.checkTiles()
	require(rootOf(log.tree.N, log.served(log.tree)) == log.tree.Hash, "the tiles do not make the signed root")
	return log
}

// own reads hashes made from the entries; served reads those of the tiles, as authenticated by x/mod.
func (log *publishedLog) own() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = log.hashes[index]
		}
		return hashes, nil
	})
}

func (log *publishedLog) served(tree tlog.Tree) tlog.HashReader {
	return tlog.TileHashReader(tree, log)
}

func (log *publishedLog) Height() int                         { return tileHeight }
func (log *publishedLog) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (log *publishedLog) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := log.get(tilePath(tile))
		if err != nil && tile.W < tileWidth {
			// A partial tile may be gone once the tile is full; the full one starts with the same hashes.
			full := tile
			full.W = tileWidth
			data, err = log.get(tilePath(full))
			if len(data) == tileWidth*tlog.HashSize {
				data = data[:tile.W*tlog.HashSize]
			}
		}
		if err != nil {
			return nil, err
		}
		all[i] = data
	}
	return all, nil
}

// tilePath is the path of C2SP tlog-tiles, which says nothing of the height and calls data entries.
func tilePath(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight))
	if tile.L == -1 {
		path = "entries" + strings.TrimPrefix(path, "data")
	}
	return "tile/" + path
}

func (log *publishedLog) get(path string) ([]byte, error) {
	if data, ok := log.fetched[path]; ok {
		return data, nil
	}
	response, err := log.getPatiently(log.url + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", path, response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, responseBytesMax))
	if err == nil {
		log.fetched[path] = data
	}
	return data, err
}

// getPatiently waits as long as a log that bounds its readers says.
func (log *publishedLog) getPatiently(url string) (*http.Response, error) {
	for waits := 0; ; waits++ {
		response, err := log.client.Get(url)
		if err != nil || response.StatusCode != http.StatusTooManyRequests || waits == waitsMax {
			return response, err
		}
		response.Body.Close()
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil || seconds < 1 || seconds > waitSecondsMax {
			seconds = 1
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// tilesAt lists the tiles of one level that a log with so many hashes at that level publishes.
func tilesAt(level int, hashes int64) []tlog.Tile {
	var tiles []tlog.Tile
	for n := int64(0); n*tileWidth < hashes; n++ {
		width := hashes - n*tileWidth
		if width > tileWidth {
			width = tileWidth
		}
		tiles = append(tiles, tlog.Tile{H: tileHeight, L: level, N: n, W: int(width)})
	}
	return tiles
}

func (log *publishedLog) readEntries() {
	for _, tile := range tilesAt(-1, log.tree.N) {
		rest, err := log.get(tilePath(tile))
		require(err == nil, "%v", err)
		for i := 0; i < tile.W; i++ {
			require(len(rest) >= 2, "%s: ends early", tilePath(tile))
			end := 2 + int(binary.BigEndian.Uint16(rest))
			require(len(rest) >= end, "%s: ends early", tilePath(tile))
			entry := rest[2:end]
			hashes, err := tlog.StoredHashes(int64(len(log.entries)), entry, log.own())
			require(err == nil, "%v", err)
			log.entries = append(log.entries, entry)
			log.hashes = append(log.hashes, hashes...)
			rest = rest[end:]
		}
		require(len(rest) == 0, "%s: has more entries than its width", tilePath(tile))
	}
}

// checkTiles compares every tile, also those on no path that a proof below happens to take.
func (log *publishedLog) checkTiles() {
	for level, hashes := 0, log.tree.N; hashes > 0; level, hashes = level+1, hashes/tileWidth {
		for _, tile := range tilesAt(level, hashes) {
			data, err := log.get(tilePath(tile))
			require(err == nil, "%v", err)
			want, err := tlog.ReadTileData(tile, log.own())
			require(err == nil && bytes.Equal(data, want), "%s: not the hashes of the entries", tilePath(tile))
		}
	}
}

// checkInclusion proves the entries asked for (their indexes, with commas between), or else a sample.
func (log *publishedLog) checkInclusion(events string) int {
	indexes := log.sample()
	if events != "" {
		indexes = nil
		for _, event := range strings.Split(events, ",") {
			indexes = append(indexes, parseDecimal(event, "entry index"))
		}
	}
	for _, index := range indexes {
		require(index < log.tree.N, "there is no entry %d", index)
		proof, err := tlog.ProveRecord(log.tree.N, index, log.served(log.tree))
		require(err == nil, "entry %d: %v", index, err)
		leaf := tlog.RecordHash(log.entries[index])
		err = tlog.CheckRecord(proof, log.tree.N, log.tree.Hash, index, leaf)
		require(err == nil, "entry %d: %v", index, err)
	}
	return len(indexes)
}

// sample is every entry of a small log; of a large one some from all over, with the first and the last.
func (log *publishedLog) sample() []int64 {
	var indexes []int64
	step := 1 + (log.tree.N-1)/sampledEntries
	for index := int64(0); index < log.tree.N; index += step {
		indexes = append(indexes, index)
	}
	if step > 1 {
		indexes = append(indexes, log.tree.N-1)
	}
	return indexes
}

func (log *publishedLog) checkConsistency(old string, keys note.Verifiers) int {
	checked := 0
	if old != "" {
		text, err := os.ReadFile(old)
		require(err == nil, "%v", err)
		older := openCheckpoint(text, keys, "older checkpoint")
		log.checkOlder(older, "the older checkpoint")
		// What a reader of the older checkpoint needs must still be there.
		require(rootOf(older.N, log.served(older)) == older.Hash, "the older tiles do not make its root")
		checked++
	}
	sizes := []int64{1, 2, tileWidth - 1, tileWidth, tileWidth + 1}
	for _, size := range append(sizes, log.tree.N/2, log.tree.N-1, log.tree.N) {
		if size >= 1 && size <= log.tree.N {
			log.checkOlder(tlog.Tree{N: size, Hash: rootOf(size, log.own())}, fmt.Sprintf("size %d", size))
			checked++
		}
	}
	return checked
}

// checkOlder makes sure that the log only grew since the older tree, whose root it does not trust.
func (log *publishedLog) checkOlder(older tlog.Tree, name string) {
	require(older.N <= log.tree.N, "%s is larger than the log: %d, %d", name, older.N, log.tree.N)
	require(rootOf(older.N, log.own()) == older.Hash, "%s has another history", name)
	if older.N == 0 {
		return
	}
	proof, err := tlog.ProveTree(log.tree.N, older.N, log.served(log.tree))
	require(err == nil, "%s: %v", name, err)
	err = tlog.CheckTree(proof, log.tree.N, log.tree.Hash, older.N, older.Hash)
	require(err == nil, "%s: %v", name, err)
}
