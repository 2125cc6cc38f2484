"""From a training run to a Pi: conversion, bundles, signatures and the way onto the device."""
