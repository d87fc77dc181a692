// Package driver has the parts that every Go driver shares: the arguments, and the line with the token.
package driver

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Arguments are VARIANT RESOURCE [KIND ID].
type Arguments struct {
	Variant, Resource, Kind, ID string
}

// Parse reads the command line.
func Parse() Arguments {
	argv := append(os.Args[1:], "", "", "", "")
	return Arguments{Variant: argv[0], Resource: argv[1], Kind: argv[2], ID: argv[3]}
}

// PrintTokens writes the token. After WIMDS_TEST_AGAIN_AFTER seconds, when the token has ended, it writes the client's next one.
func PrintTokens(get func() (token string, expiresOn int64, err error)) {
	Print(get())
	if seconds, err := strconv.Atoi(os.Getenv("WIMDS_TEST_AGAIN_AFTER")); err == nil {
		time.Sleep(time.Duration(seconds) * time.Second)
		Print(get())
	}
}

// Print writes the token and its expiry (epoch seconds), or ends the program on an error.
func Print(token string, expiresOn int64, err error) {
	if err != nil {
		log.Fatal(err)
	}
	line := map[string]any{"token": token, "expiresOn": expiresOn}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		log.Fatal(err)
	}
}

// PrintLast writes the last token that a simulated Azure server got, for programs that do not return theirs.
func PrintLast(err error) {
	if err != nil {
		log.Fatal(err)
	}
	response, err := http.Get(os.Getenv("WIMDS_TEST_LAST_TOKEN_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	token, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"token": string(token)}); err != nil {
		log.Fatal(err)
	}
}
