from threading import Event, Thread

import httpx2

from tests.fixtures.simulated_recall import APPS, CREDENTIALS, a_recall


def test_a_repeat_with_the_same_idempotency_key_gets_the_first_answer() -> None:
    recall = a_recall()
    app = recall.app()

    first = recall.connecting(app["id"], Idempotency_Key="k1")
    repeat = recall.connecting(app["id"], "another-user", Idempotency_Key="k1")

    assert repeat.status_code == first.status_code == 201
    assert repeat.get_json() == first.get_json()
    assert recall.zoom.paths().count("/oauth/token") == 1


def test_stored_answers_include_errors() -> None:
    recall = a_recall()
    recall.post(APPS, {}, Idempotency_Key="k1")

    repeat = recall.post(
        APPS,
        {
            "kind": "user_level",
            "client_id": "a",
            "client_secret": "b",
            "webhook_secret": "c",
        },
        Idempotency_Key="k1",
    )

    assert repeat.status_code == 400


def test_an_idempotency_key_is_forgotten_after_an_hour() -> None:
    recall = a_recall()
    app = recall.app()
    first = recall.connecting(app["id"], Idempotency_Key="k1").get_json()
    recall.world.clock.advance(3601)

    second = recall.connecting(app["id"], "user-2", Idempotency_Key="k1").get_json()

    assert (first["user_id"], second["user_id"]) == ("user-1", "user-2")


def test_an_idempotency_key_belongs_to_its_path_and_caller() -> None:
    recall = a_recall()
    app = recall.app()
    recall.connecting(app["id"], Idempotency_Key="k1")
    other = recall.world.add_workspace().api_key

    on_another_path = recall.post(APPS, {}, Idempotency_Key="k1")
    by_another_caller = recall.http.post(
        CREDENTIALS,
        json={},
        headers={"Authorization": other, "Idempotency-Key": "k1"},
    )

    assert on_another_path.status_code == 400
    assert by_another_caller.status_code == 400


def test_a_repeat_is_refused_while_the_first_is_running() -> None:
    recall = a_recall()
    app = recall.app()
    asked, go_on = Event(), Event()

    def slow(request: httpx2.Request) -> httpx2.Response:
        del recall.zoom.answers["/oauth/token"]
        asked.set()
        go_on.wait(10)
        return recall.zoom(request)

    recall.zoom.answers["/oauth/token"] = slow
    first = Thread(
        target=recall.connecting, args=(app["id"],), kwargs={"Idempotency_Key": "k1"}
    )
    first.start()
    asked.wait(10)

    repeat = recall.connecting(app["id"], Idempotency_Key="k1")
    go_on.set()
    first.join(10)
    afterwards = recall.connecting(app["id"], Idempotency_Key="k1")

    assert repeat.status_code == 409
    assert afterwards.status_code == 201
