// Command verify-log checks an access log from outside: it reads what the service publishes
// (C2SP tlog-tiles) and believes only the verifier key it was given. The tree, the tiles and the
// signed notes are those of golang.org/x/mod; nothing here is shared with the service.
//
// It needs no newer API than Go 1.19 with x/mod 0.7, which Debian packages.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const proofHeader = "c2sp.org/tlog-proof@v1"

type report struct {
	Size        int64  `json:"size"`
	Root        string `json:"root"`
	Entries     int    `json:"entries"`
	Inclusion   int    `json:"inclusion"`
	Consistency int    `json:"consistency"`
	Proofs      int    `json:"proofs"`
	OK          bool   `json:"ok"`
}

func main() {
	var vkeys []string
	url := flag.String("url", "", "where the log is served; left out to check only -proof, offline")
	old := flag.String("old", "", "file with an older checkpoint")
	events := flag.String("event", "", "entry indexes to prove, with commas between; all or a sample if left out")
	proof := flag.String("proof", "", "file with a proof of one entry")
	flag.Func("vkey", "verifier key of the log; may be given again for a rotated key", func(key string) error {
		vkeys = append(vkeys, key)
		return nil
	})
	flag.Parse()
	if len(vkeys) == 0 || (*url == "" && *proof == "") || (*url == "" && *old != "") || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}

	keys := parseKeys(vkeys)
	var found report
	var log *publishedLog
	if *url != "" {
		log = readLog(strings.TrimSuffix(*url, "/"), keys)
		found = report{Size: log.tree.N, Root: log.tree.Hash.String(), Entries: len(log.entries)}
		found.Inclusion = log.checkInclusion(*events)
		found.Consistency = log.checkConsistency(*old, keys)
	}
	if *proof != "" {
		tree := checkProofFile(*proof, keys)
		if log == nil {
			found = report{Size: tree.N, Root: tree.Hash.String()}
		} else {
			log.checkOlder(tree, "the proof's checkpoint")
		}
		found.Proofs = 1
	}
	found.OK = true
	line, err := json.Marshal(found)
	require(err == nil, "report: %v", err)
	fmt.Println(string(line))
}

// checkProofFile checks a C2SP tlog-proof by itself, whose extra data is the entry, and gives the
// tree that the entry is in.
func checkProofFile(path string, keys note.Verifiers) tlog.Tree {
	text, err := os.ReadFile(path)
	require(err == nil, "%v", err)
	parts := strings.SplitN(string(text), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	require(len(parts) == 2 && len(lines) >= 3 && lines[0] == proofHeader, "not a proof file")
	require(strings.HasPrefix(lines[1], "extra "), "proof without entry")
	require(strings.HasPrefix(lines[2], "index "), "proof without index")
	leaf, err := base64.StdEncoding.Strict().DecodeString(lines[1][len("extra "):])
	require(err == nil, "proof: %v", err)
	index := parseDecimal(lines[2][len("index "):], "index of the proof")
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		proof = append(proof, parseHash(line, "hash of the proof"))
	}
	tree := openCheckpoint([]byte(parts[1]), keys, "checkpoint of the proof")
	require(index < tree.N, "the proof's index is past its tree")
	err = tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf))
	require(err == nil, "proof file: %v", err)
	return tree
}

// openCheckpoint is strict: three lines, canonical numbers, the origin the name of the key that signed.
func openCheckpoint(text []byte, keys note.Verifiers, name string) tlog.Tree {
	opened, err := note.Open(text, keys)
	require(err == nil, "%s: %v", name, err)
	lines := strings.Split(opened.Text, "\n")
	require(len(lines) == 4 && lines[3] == "", "%s: not three lines", name)
	require(lines[0] == opened.Sigs[0].Name, "%s: its origin is not the name of its key", name)
	return tlog.Tree{N: parseDecimal(lines[1], name), Hash: parseHash(lines[2], name)}
}

func rootOf(size int64, reader tlog.HashReader) tlog.Hash {
	if size == 0 {
		return sha256.Sum256(nil)
	}
	root, err := tlog.TreeHash(size, reader)
	require(err == nil, "root at size %d: %v", size, err)
	return root
}

func parseKeys(vkeys []string) note.Verifiers {
	var list []note.Verifier
	for _, vkey := range vkeys {
		verifier, err := note.NewVerifier(vkey)
		require(err == nil, "verifier key: %v", err)
		list = append(list, verifier)
	}
	return note.VerifierList(list...)
}

func parseDecimal(text, name string) int64 {
	number, err := strconv.ParseInt(text, 10, 64)
	require(err == nil && number >= 0 && strconv.FormatInt(number, 10) == text, "%s: not a canonical number", name)
	return number
}

func parseHash(text, name string) tlog.Hash {
	hash, err := tlog.ParseHash(text)
	require(err == nil && hash.String() == text, "%s: not a canonical hash", name)
	return hash
}

func require(ok bool, format string, args ...interface{}) {
	if !ok {
		fmt.Fprintf(os.Stderr, "verify-log: "+format+"\n", args...)
		os.Exit(1)
	}
}
