domaind_test(task DEPS coro)
domaind_test(io DEPS coro)
domaind_test(timer DEPS coro)
domaind_test(stack DEPS coro)
