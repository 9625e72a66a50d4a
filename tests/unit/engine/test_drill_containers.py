"""What throw-away containers are made of: nothing of the host, no network but a loopback, and their names by the order."""

from tests.unit.agent.restoreorders import drilling

from strongroom.api.drills import DrillApplication
from strongroom.engine.drillapplications import application_container, build_application_config
from strongroom.engine.drillcontainers import build_drill_config, drill_container

APPLICATION = {"image": "shop:2", "port": 8000, "database": "a b", "environment": ["PGUSER=own", "X=1=2"]}


def config_of(**application):
    order = drilling(application=APPLICATION | application)
    server = drill_container(order, "db", "shop-db", "postgres:15")
    beside = application_container(server, DrillApplication.model_validate(APPLICATION | application))
    return build_drill_config(server), server, beside, build_application_config(beside)


def test_an_application_has_the_servers_loopback_and_nothing_else():
    server_config, server, beside, config = config_of()
    assert server_config["HostConfig"]["NetworkMode"] == "none"
    assert "listen_addresses=127.0.0.1" in server_config["Cmd"]
    host = config["HostConfig"]
    assert host["NetworkMode"] == f"container:{server.name}"
    assert (beside.name, config["Labels"]) == (f"{server.name}-app", server_config["Labels"])
    assert not {"Binds", "Mounts", "Privileged", "Devices", "PortBindings"} & set(host)
    assert host["Memory"] == host["MemorySwap"] == 1 << 30
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges"])


def test_what_the_policy_says_of_the_environment_goes_before_what_we_say():
    environment = dict(each.split("=", 1) for each in config_of()[3]["Env"])
    assert environment["DATABASE_URL"] == "postgresql://strongroom_application:drill@127.0.0.1:5432/a%20b"
    assert (environment["PGUSER"], environment["X"], environment["PGDATABASE"]) == ("own", "1=2", "a b")


def test_the_command_is_the_images_own_unless_one_is_named():
    assert "Cmd" not in config_of()[3]
    assert config_of(command=["serve", "--fast"])[3]["Cmd"] == ["serve", "--fast"]


def test_without_an_application_the_server_listens_on_its_socket_alone():
    alone = build_drill_config(drill_container(drilling(), "db", None, "postgres:15"))
    assert "listen_addresses=" in alone["Cmd"]
