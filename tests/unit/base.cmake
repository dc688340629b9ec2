domaind_test(buf DEPS base)
domaind_test(hist DEPS base)
domaind_test(units DEPS base)
domaind_test(json DEPS base)
