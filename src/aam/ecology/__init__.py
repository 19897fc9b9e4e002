"""Distances and diversity on trees and tables."""
