// Methods with pointer and value receivers, promoted ones, calls through interfaces.
package main

type acc struct {
	Owner string
	Cents int
}

func (a *acc) deposit(n int) {
	a.Cents += n
	println("in deposit") // stop
	// want: @stop function=main.(*acc).deposit
	// want: a live type=*main.acc points_to=account
	// want: a.Cents value=150
	// want: n live value=50
}

func (a acc) show() string {
	a.Cents = 0
	return a.Owner // stop hits=2
	// want: @stop function=main.acc.show
	// want: a live goroutine_stack size=24 value=`{Owner:"ann" Cents:0}`
	// want: account frame=main.main value=`{Owner:"ann" Cents:150}`
}

type wrapped struct {
	acc
	Note string
}

type shower interface{ show() string }

func main() {
	account := acc{"ann", 100}
	account.deposit(50)
	s := account.show()
	w := wrapped{account, "n"}
	var i shower = w
	t := i.show()
	println(s, t) // stop
	// want: s value=ann
	// want: t value=ann
	// want: w.acc.Cents value=150
	// want: i dynamic_type=main.wrapped
}
