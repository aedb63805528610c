// SPDX-License-Identifier: Apache-2.0
// Copyright The hiwari authors

// strict - decode Kubernetes manifests with the types of the API itself, and refuse every field that they do not have.
//
//	strict FILE …        (- is standard input; a file may hold several documents)
//
// `kubectl --dry-run=client` and `kubectl kustomize` let a misspelt field pass, and a cluster drops it without a word. The
// kinds of Kubernetes come from k8s.io/api. Those of others (crds.go) have no Go package in Debian; they are written down
// there by hand, with the real types inside where there are any.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, batch.AddToScheme, core.AddToScheme,
		networking.AddToScheme, policy.AddToScheme, scheduling.AddToScheme, storage.AddToScheme, addOthers} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme,
		json.SerializerOptions{Yaml: true, Strict: true})
	failed := false
	for _, name := range os.Args[1:] {
		kinds, err := decode(decoder, name)
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		}
		for _, kind := range kinds {
			fmt.Printf("%s %s\n", name, kind)
		}
	}
	if failed {
		os.Exit(1)
	}
}

// decode returns the kinds that were understood, in order.
func decode(decoder runtime.Decoder, name string) (kinds []string, err error) {
	file := os.Stdin
	if name != "-" {
		if file, err = os.Open(name); err != nil {
			return nil, err
		}
		defer file.Close()
	}
	reader := yaml.NewYAMLReader(bufio.NewReader(file))
	for {
		document, err := reader.Read()
		if err == io.EOF {
			return kinds, nil
		}
		if err != nil {
			return kinds, err
		}
		if isComment(document) {
			continue
		}
		_, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return kinds, fmt.Errorf("document %d: %w", len(kinds)+1, err)
		}
		kinds = append(kinds, kind.Kind)
	}
}

func isComment(document []byte) bool {
	for _, line := range bytes.Split(document, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return false
		}
	}
	return true
}
