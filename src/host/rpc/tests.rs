use super::*;

#[test]
fn a_fault_is_one_bounded_line() {
    assert_eq!(one_line("no table 'a\r\nb'"), "no table 'a??b'");
    let long = "ä".repeat(200);
    assert_eq!(one_line(&long), "ä".repeat(FAULT / 2));
}

#[test]
fn an_integer_takes_the_first_form_that_every_transport_keeps_exact() {
    for (number, form) in [
        (0, "int"),
        (i64::from(c_int::MAX), "int"),
        (i64::from(c_int::MIN), "int"),
        (i64::from(c_int::MAX) + 1, "wide"),
        (9_007_199_254_740, "wide"),
        (-9_007_199_254_740, "wide"),
        (9_007_199_254_741, "text"),
        (i64::MIN, "text"),
    ] {
        let got = match wire(number) {
            Wire::Int(n) => (i64::from(n) == number).then_some("int"),
            Wire::Wide(n) => (n == number).then_some("wide"),
            Wire::Text(text) => (text == number.to_string()).then_some("text"),
        };
        assert_eq!(got, Some(form), "{number}");
    }
}

#[test]
fn a_transport_that_lacks_a_function_is_full_not_fatal() {
    // SAFETY: a table of null pointers is one whose functions are all absent.
    let mut api: rpc_api = unsafe { std::mem::zeroed() };
    // SAFETY: the table outlives the call.
    let mut call = unsafe { Call::new(&raw mut api, ptr::null_mut()) }.expect("a table");
    assert_eq!(call.argument(), None);
    assert_eq!(call.text(b"x"), Err(Full));
    assert!(call.object().is_err());
    call.fault(500, "nothing happens");
}
