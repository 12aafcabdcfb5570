// A shop with two mistakes in it, for docs/tutorial.md.
package main

import (
	"errors"
	"fmt"
	"os"
)

type Item struct {
	Name  string
	Price int
}

type Cart struct {
	Owner string
	Items []Item
	Total int
}

var carts = map[string]*Cart{}

//go:noinline
func add(c *Cart, item Item) error {
	if item.Price < 0 {
		return errors.New("a price below zero")
	}
	c.Items = append(c.Items, item)
	c.Total += item.Price
	return nil
}

//go:noinline
func receipt(c *Cart) string {
	text := fmt.Sprintf("%d things for %s:", len(c.Items), c.Owner)
	c.Total = 0 // too early
	text += fmt.Sprint(" ", c.Total)
	return text
}

func serve() {
	orders := make(chan Item)
	for range carts {
		go func() {
			for item := range orders {
				fmt.Println("sold", item.Name)
			}
		}()
	}
	fmt.Println("open")
	os.Stdin.Read(make([]byte, 1)) // and nobody closes orders
}

func main() {
	for _, name := range []string{"ann", "bob"} {
		carts[name] = &Cart{Owner: name}
	}
	for i, name := range []string{"book", "pen", "lamp"} {
		add(carts["ann"], Item{name, 10 * (i + 1)})
		add(carts["bob"], Item{name, i})
	}
	add(carts["bob"], Item{"gift", -5})
	fmt.Println(receipt(carts["ann"]))
	if len(os.Args) > 1 {
		serve()
	}
}
