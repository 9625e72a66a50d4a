"""`python -m strongroom`: the same command as `strongroom`."""

from strongroom.cli.main import main

if __name__ == "__main__":
    main()
