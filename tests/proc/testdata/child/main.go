// Command child is a program for the tests of proc to push around.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "", "serve 200 for every path here")
	code := flag.Int("exit", -1, "end at once with this code")
	flag.Parse()
	if *code >= 0 {
		fmt.Println("ending at once")
		os.Exit(*code)
	}
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	fmt.Println("started")
	if *listen != "" {
		server := &http.Server{Addr: *listen, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second}
		go func() { panic(server.ListenAndServe()) }()
	}
	<-terminate
	fmt.Println("asked to stop")
}
