"""Distances between samples, and their diversity, on trees and tables."""
